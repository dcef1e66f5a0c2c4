package page
import ("os";"testing";"github.com/rushgate/rushgate/stress")
func TestLook(t *testing.T){
 dir:=os.Getenv("LOOK"); if dir=="" {t.Skip()}
 f,_:=os.Create(dir+"/run.html"); Write(f, launchDay(300,90,1)); f.Close()
 big:=launchDay(900,90,1); f,_=os.Create(dir+"/run900.html"); Write(f, big); f.Close()
 small:=launchDay(30,20,3); small.Server=nil; for i:=range small.Timeline.Points {small.Timeline.Points[i].Server=nil}; small.Generator.Bottleneck="the generator used 1.97 of the 2 cores it may use"
 f,_=os.Create(dir+"/small.html"); Write(f, small); f.Close()
 f,_=os.Create(dir+"/cmp.html"); WriteComparison(f, launchDay(300,90,1), launchDay(300,110,2), "v1.4.json","v1.5.json"); f.Close()
 f,_=os.Create(dir+"/cmp.txt"); stress.WriteComparison(f, launchDay(300,90,1), small, "v1.4.json","v1.5.json"); f.Close()
 f,_=os.Create(dir+"/one.html"); Write(f, launchDay(1,20,3)); f.Close()
}
